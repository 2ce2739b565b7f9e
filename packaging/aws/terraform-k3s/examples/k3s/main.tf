# One k3s cluster, servers and workers. Copy this folder, or apply it as it is:
#   terraform init
#   terraform apply -var region=eu-central-1 -var cluster=prod -var bucket=YOUR-BUCKET -var ami=ami-... -var vpc=vpc-... -var 'subnets=["subnet-...", ...]'
terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.60"
    }
  }
}

provider "aws" {
  region = var.region
}

module "k3s" {
  # From elsewhere: source = "git::https://github.com/quorate/quorate.git//packaging/aws/terraform-k3s?ref=TAG"
  source = "../.."

  cluster = var.cluster
  bucket  = var.bucket
  vpc     = var.vpc
  subnets = var.subnets

  # Upgrade the servers first: a worker's k3s must not be newer than theirs.
  server_ami       = var.ami
  worker_ami       = coalesce(var.worker_ami, var.ami)
  server_user_data = file("${path.module}/../../../../../ignition/cloud-init-k3s-server.yaml")
  worker_user_data = file("${path.module}/../../../../../ignition/cloud-init-k3s-worker.yaml")

  load_balancer = var.load_balancer

  # Options, each with its explanation in the module's variables.tf:
  #   worker_mixed_instances = { instance_types = ["m6i.large", "m5.large"], on_demand_percent = 20 }
  #   warm_workers           = { size = 2 }
  #   ssh                    = { key = "operators", security_groups = ["sg-..."] }
  #   boot_objects           = { worker = ["arn:aws:s3:::YOUR-BUCKET/quorate.raw"] }
}

variable "region" {
  type = string
}

variable "cluster" {
  type = string
}

variable "bucket" {
  type = string
}

variable "ami" {
  type = string
}

variable "worker_ami" {
  type    = string
  default = null
}

variable "vpc" {
  type = string
}

variable "subnets" {
  type = list(string)
}

variable "load_balancer" {
  type = object({
    name     = string
    zone     = string
    internal = optional(bool, true)
  })
  default = null
}

output "groups" {
  value = module.k3s.groups
}

output "endpoint" {
  value = module.k3s.endpoint
}
