variable "cluster" {
  type        = string
  description = "The cluster's name: the tag quorate:cluster."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,17}$", var.cluster))
    error_message = "Use at most 18 lower-case letters, digits and hyphens: the load balancer's name takes no more."
  }
}

variable "servers" {
  type        = number
  default     = 3
  description = "Servers of the control plane. An odd number, at most 7."

  validation {
    condition     = contains([1, 3, 5, 7], var.servers)
    error_message = "Use 1, 3, 5 or 7: an even number tolerates no more failures than the odd one below it."
  }
}

variable "workers" {
  type        = number
  default     = 2
  description = "The least number of workers. How many there are above it is for you, or an autoscaler, to say."

  validation {
    condition     = var.workers >= 1
    error_message = "Use 1 or more."
  }
}

variable "most_workers" {
  type    = number
  default = 10
}

variable "server_ami" {
  type        = string
  description = "An image with quorate and k3s in it: ../packer-k3s, or Flatcar with the system extension."
}

variable "worker_ami" {
  type        = string
  description = "Likewise. Not newer in its k3s than the servers': upgrade those first."
}

variable "server_user_data" {
  type        = string
  description = "The content of ignition/cloud-init-k3s-server.yaml or ignition/flatcar-k3s-server.ign."
}

variable "worker_user_data" {
  type        = string
  description = "The content of ignition/cloud-init-k3s-worker.yaml or ignition/flatcar-k3s-worker.ign."
}

variable "server_instance_type" {
  type        = string
  default     = "m7i.large"
  description = "Of the image's architecture: ../packer-k3s bakes x86_64 by default."
}

variable "worker_instance_type" {
  type        = string
  default     = "m7i.large"
  description = "Likewise."
}

variable "worker_mixed_instances" {
  type = object({
    instance_types     = list(string)
    on_demand_base     = optional(number, 0)
    on_demand_percent  = optional(number, 100)
    spot_strategy      = optional(string, "price-capacity-optimized")
    capacity_rebalance = optional(bool, false)
  })
  default     = null
  description = "Further instance types for the workers, of the same architecture, for when the first is not to be had; and how much of the group is spot. Null: worker_instance_type alone, on demand."
}

variable "warm_workers" {
  type = object({
    size  = number
    state = optional(string, "Stopped")
  })
  default     = null
  description = "Workers that have booted and wait outside of the cluster: they join when they enter service. Null: none."

  validation {
    condition     = var.warm_workers == null || contains(["Stopped", "Running", "Hibernated"], try(var.warm_workers.state, ""))
    error_message = "Use Stopped, Running or Hibernated."
  }

  validation {
    condition     = var.warm_workers == null || var.worker_mixed_instances == null
    error_message = "Auto Scaling has no warm pool for a group with a policy of mixed instances: choose one of the two."
  }
}

variable "vpc" {
  type = string
}

variable "subnets" {
  type        = list(string)
  description = "One in each of three Availability Zones. They need a way to the APIs of EC2, Auto Scaling, S3 and Systems Manager: NAT, or VPC endpoints."
}

variable "client_security_groups" {
  type        = set(string)
  default     = []
  description = "The security groups that may reach the Kubernetes API: at the load balancer, or at the servers if there is none."
}

variable "load_balancer" {
  type = object({
    name     = string
    zone     = string
    internal = optional(bool, true)
  })
  default     = null
  description = "A DNS name for the API, and the Route 53 zone it is in. It has to stand in the servers' configuration too ([kubernetes] endpoint). Null: no load balancer."
}

variable "target_groups" {
  type = list(object({
    role = string
    arn  = string
  }))
  default     = []
  description = "Target groups that user data registers instances of a role (control-plane or worker) with, as in aws.target_groups of their configuration. They take themselves out."
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
  type = object({
    control-plane = optional(list(string), [])
    worker        = optional(list(string), [])
  })
  default     = {}
  description = "ARNs of the objects in S3 that Ignition fetches: the system extension, k3s, the tokens. No token of the servers for the workers."
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
