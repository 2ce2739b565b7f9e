# One etcd cluster. Copy this folder, or apply it as it is:
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

module "etcd" {
  # From elsewhere: source = "git::https://github.com/quorate/quorate.git//packaging/aws/terraform?ref=TAG"
  source = "../.."

  cluster   = var.cluster
  bucket    = var.bucket
  ami       = var.ami
  user_data = file("${path.module}/../../../../../ignition/cloud-init-etcd.yaml")
  vpc       = var.vpc
  subnets   = var.subnets

  # The applications.
  client_security_groups = var.client_security_groups

  # Options, each with its explanation in the module's variables.tf:
  #   mixed_instances = { instance_types = ["m6i.large", "m5.large"] }
  #   warm_pool       = { size = 1 }
  #   ssh             = { key = "operators", security_groups = ["sg-..."] }
  #   boot_objects    = ["arn:aws:s3:::YOUR-BUCKET/quorate.raw"]
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

variable "vpc" {
  type = string
}

variable "subnets" {
  type = list(string)
}

variable "client_security_groups" {
  type    = set(string)
  default = []
}

output "group" {
  value = module.etcd.group
}

output "store" {
  value = module.etcd.store
}
