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
  type        = string
  default     = "m7i.large"
  description = "Of the image's architecture: ../packer bakes x86_64 by default; for arm64 use m7g.large, for example."
}

variable "mixed_instances" {
  type = object({
    instance_types     = list(string)
    on_demand_base     = optional(number, 0)
    on_demand_percent  = optional(number, 100)
    spot_strategy      = optional(string, "price-capacity-optimized")
    capacity_rebalance = optional(bool, false)
  })
  default     = null
  description = "Further instance types, of the same architecture, for when the first is not to be had; and how much of the group is spot. A majority of etcd's members belongs on demand. Null: instance_type alone, on demand."
}

variable "warm_pool" {
  type = object({
    size  = number
    state = optional(string, "Stopped")
  })
  default     = null
  description = "Instances that have booted and wait outside of the cluster. Their agents stand by: they join nothing before they enter service. When a spare that is switched off is terminated, nobody completes its termination hook, and it ends with the heartbeat timeout. Null: none."

  validation {
    condition     = var.warm_pool == null || contains(["Stopped", "Running", "Hibernated"], try(var.warm_pool.state, ""))
    error_message = "Use Stopped, Running or Hibernated."
  }

  validation {
    condition     = var.warm_pool == null || var.mixed_instances == null
    error_message = "Auto Scaling has no warm pool for a group with a policy of mixed instances: choose one of the two."
  }
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
  description = "The security groups that may reach etcd's client port."
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
  description = "The number of days that a deleted snapshot stays in the bucket as an old version. Each takes as much space as etcd's database."

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

variable "object_lock_days" {
  type        = number
  default     = null
  description = "The number of days for which S3 protects every version of the charter's records and of snapshots from anyone without the right to bypass governance. Can be switched on only when the bucket is created. Null: no Object Lock."
}

variable "boot_objects" {
  type        = list(string)
  default     = []
  description = "ARNs of the objects in S3 that Ignition fetches, such as arn:aws:s3:::YOUR-BUCKET/quorate.raw. Not needed where the image has all in it."
}

variable "session_manager" {
  type        = bool
  default     = true
  description = "Lets operators log in by Session Manager, where `quorate status` is to be had. The image needs the SSM agent: Amazon Linux has it."
}

variable "ssh" {
  type = object({
    key             = string
    security_groups = set(string)
  })
  default     = null
  description = "A key pair, and who may reach port 22. For images without the SSM agent, such as Flatcar. Null: no SSH."
}

variable "data_volume_gib" {
  type    = number
  default = 50
}
