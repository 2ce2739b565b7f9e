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

  # A copy of the charter for people to read, on the group. Terraform must not take it away.
  ignore_tags {
    keys = ["quorate:charter"]
  }
}
