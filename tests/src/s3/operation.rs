//! What can be asked of the store.

/// What can be asked of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// `PUT key`
    Put,
    /// `GET key`
    Get,
    /// `HEAD key`
    Head,
    /// `DELETE key`
    Delete,
    /// `POST ?delete`
    DeleteMany,
    /// `GET ?list-type=2`
    List,
    /// `POST key?uploads`
    CreateUpload,
    /// `PUT key?partNumber&uploadId`
    UploadPart,
    /// `POST key?uploadId`
    Complete,
    /// `DELETE key?uploadId`
    Abort,
}

impl Operation {
    /// What IAM calls the permission for it
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>).
    #[must_use]
    pub fn permission(self) -> &'static str {
        match self {
            Self::Put | Self::CreateUpload | Self::UploadPart | Self::Complete => "s3:PutObject",
            Self::Get | Self::Head => "s3:GetObject",
            Self::Delete | Self::DeleteMany => "s3:DeleteObject",
            Self::List => "s3:ListBucket",
            Self::Abort => "s3:AbortMultipartUpload",
        }
    }

    /// Whether the body of the request becomes (a part of) an object.
    pub(super) fn stores(self) -> bool {
        matches!(self, Self::Put | Self::UploadPart)
    }
}
