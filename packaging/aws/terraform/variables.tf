variable "region" {
  type = string
}

variable "cluster" {
  type        = string
  description = "The cluster's name: the tag quorate:cluster."
}

variable "size" {
  type        = number
  default     = 3
  description = "Members. An odd number, at most 7."

  validation {
    condition     = contains([1, 3, 5, 7], var.size)
    error_message = "Use 1, 3, 5 or 7: an even number tolerates no more failures than the odd one below it."
  }
}

variable "ami" {
  type        = string
  description = "An image with quorate and etcd in it: ../packer, or Flatcar or Fedora CoreOS with the system extension."
}

variable "user_data" {
  type        = string
  description = "The content of ignition/cloud-init-etcd.yaml, ignition/flatcar-etcd.ign or ignition/fcos-etcd.ign."
}

variable "instance_type" {
  type    = string
  default = "m7g.large"
}

variable "vpc" {
  type = string
}

variable "subnets" {
  type        = list(string)
  description = "One in each of three Availability Zones. They need a way to the APIs of EC2, Auto Scaling and S3: NAT, or VPC endpoints."
}

variable "client_security_groups" {
  type        = set(string)
  default     = []
  description = "Who may reach etcd's client port."
}

variable "target_groups" {
  type        = list(string)
  default     = []
  description = "ARNs of target groups that user data registers the members with, as in aws.target_groups of their configuration. They take themselves out."
}

variable "bucket" {
  type        = string
  description = "A bucket to create for the charters and snapshots of this and other clusters."
}

variable "deleted_snapshot_days" {
  type        = number
  default     = 7
  description = "A snapshot that was deleted stays in the bucket, as an old version, for so many days more. Each takes as much room as etcd's database."

  validation {
    condition     = var.deleted_snapshot_days >= 1
    error_message = "Use 1 or more: S3 counts whole days."
  }
}

variable "kms_key_arn" {
  type        = string
  default     = null
  description = "A key of KMS (its ARN, no alias) to encrypt the bucket with, in place of S3's own. Its own policy has to let this account's IAM decide. Null: AES256."
}

variable "data_volume_gib" {
  type    = number
  default = 50
}
