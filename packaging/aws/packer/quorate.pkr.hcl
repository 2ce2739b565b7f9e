# Bakes an image of Amazon Linux 2023 with quorate and a pinned etcd: nothing is downloaded when an instance boots.
#   packer init . && packer build -var rpm=quorate-0.1.0-1.x86_64.rpm -var etcd_dir=/path/to/etcd-v3.6.x-linux-amd64 .
packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = ">= 1.3"
    }
  }
}

variable "rpm" {
  type        = string
  description = "Made by scripts/package rpm."
}

variable "etcd_dir" {
  type        = string
  description = "A directory with etcd, etcdctl and etcdutl."
}

variable "architecture" {
  type    = string
  default = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "Use x86_64 or arm64, as the rpm and etcd are."
  }
}

variable "region" {
  type    = string
  default = "eu-central-1"
}

source "amazon-ebs" "quorate" {
  ami_name      = "quorate-al2023-${var.architecture}-{{timestamp}}"
  instance_type = var.architecture == "arm64" ? "t4g.small" : "t3.small"
  region        = var.region
  ssh_username  = "ec2-user"
  imds_support  = "v2.0"

  source_ami_filter {
    owners      = ["amazon"]
    most_recent = true
    filters = {
      name                = "al2023-ami-2023.*-kernel-*-${var.architecture}"
      virtualization-type = "hvm"
      root-device-type    = "ebs"
    }
  }

  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
}

build {
  sources = ["source.amazon-ebs.quorate"]

  provisioner "file" {
    source      = var.rpm
    destination = "/tmp/quorate.rpm"
  }

  provisioner "file" {
    sources     = [for name in ["etcd", "etcdctl", "etcdutl"] : "${var.etcd_dir}/${name}"]
    destination = "/tmp/"
  }

  provisioner "shell" {
    inline = [
      "set -eux",
      "sudo dnf install -y --setopt=install_weak_deps=False /tmp/quorate.rpm xfsprogs",
      "sudo install -o root -g root -m 755 /tmp/etcd /tmp/etcdctl /tmp/etcdutl /usr/local/bin/",
      "quorate --version && etcd --version && etcdutl version",
      # Not enabled here: user data does that. An image must not carry another instance's memory or data.
      "! systemctl is-enabled --quiet quorate.service",
      "test -z \"$(sudo ls -A /var/lib/quorate 2>/dev/null)\"",
      "rm /tmp/quorate.rpm /tmp/etcd /tmp/etcdctl /tmp/etcdutl",
      "sudo cloud-init clean --logs --machine-id",
    ]
  }
}
