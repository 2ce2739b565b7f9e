# What outlives the nodes, below PREFIX/CLUSTER: the charter (charter/), small numbered records, created once and never changed, that say what this
# cluster is; and snapshots of etcd (snapshots/). Losing the charter halts the cluster's next founding or recovery, so no lifecycle rule may ever
# touch it.
resource "aws_s3_bucket" "store" {
  bucket              = var.bucket
  object_lock_enabled = var.object_lock_days != null

  lifecycle {
    prevent_destroy = true
  }
}

resource "aws_s3_bucket_versioning" "store" {
  bucket = aws_s3_bucket.store.id

  versioning_configuration {
    status = "Enabled"
  }
}

# No version of a record or a snapshot can be destroyed before its time, whatever rights somebody has, except by those who may bypass governance. The
# agents notice nothing: deleting a snapshot only hides its newest version, and everything that they write carries the checksum that S3 then requires.
resource "aws_s3_bucket_object_lock_configuration" "store" {
  count = var.object_lock_days == null ? 0 : 1

  bucket = aws_s3_bucket.store.id

  rule {
    default_retention {
      mode = "GOVERNANCE"
      days = var.object_lock_days
    }
  }

  # S3 accepts it only where there are versions.
  depends_on = [aws_s3_bucket_versioning.store]
}

# An object written without encryption settings of its own is encrypted this way; Quorate needs no setting for it. You are responsible for a key of
# your own: deleting it deletes the charter and the snapshots.
resource "aws_s3_bucket_server_side_encryption_configuration" "store" {
  bucket = aws_s3_bucket.store.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }

    # One key of the bucket in place of one request to KMS for each object.
    bucket_key_enabled = var.kms_key_arn != null
  }
}

# The agents delete the snapshots that need not be kept ([snapshot] of their configuration), so nothing that counts expires here. With versioning
# "deleted" means "no longer current": those are what ends here, and what an upload that broke off left behind. The prefix is that of this
# cluster's snapshots alone: another cluster in this bucket needs a rule of its own, and never one rule for the whole bucket.
resource "aws_s3_bucket_lifecycle_configuration" "store" {
  bucket = aws_s3_bucket.store.id

  rule {
    id     = "snapshots-${var.cluster}"
    status = "Enabled"

    filter {
      prefix = "${local.prefix}/${var.cluster}/snapshots/"
    }

    # An upload takes minutes.
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }

    # For this long a deleted snapshot can be restored, whoever deleted it.
    noncurrent_version_expiration {
      noncurrent_days = var.deleted_snapshot_days
    }

    # The marker that a deletion leaves, once there is no version below it. It is no snapshot.
    expiration {
      expired_object_delete_marker = true
    }
  }

  # S3 accepts a rule on versions only where there are some.
  depends_on = [aws_s3_bucket_versioning.store]
}

resource "aws_s3_bucket_public_access_block" "store" {
  bucket                  = aws_s3_bucket.store.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

data "aws_iam_policy_document" "store" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.store.arn, "${aws_s3_bucket.store.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "store" {
  bucket = aws_s3_bucket.store.id
  policy = data.aws_iam_policy_document.store.json
}
