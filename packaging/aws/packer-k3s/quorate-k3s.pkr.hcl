# Bakes an image of Amazon Linux 2023 with quorate and a pinned k3s, for servers and workers alike: when an instance boots, only what the
# pods need is downloaded.
#   curl -fLO https://github.com/k3s-io/k3s/releases/download/VERSION/k3s
#   curl -fLO https://raw.githubusercontent.com/k3s-io/k3s/VERSION/install.sh
#   packer init . && packer build -var rpm=quorate-0.1.0-1.x86_64.rpm -var k3s=k3s -var k3s_sha256=... -var install=install.sh .
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

variable "k3s" {
  type        = string
  description = "The binary of one release of k3s, for the architecture below."
}

variable "k3s_sha256" {
  type        = string
  description = "What that release says its binary is: sha256sum-amd64.txt or sha256sum-arm64.txt beside it."

  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.k3s_sha256))
    error_message = "Use the 64 hexadecimal digits of the release's own list."
  }
}

variable "install" {
  type        = string
  description = "install.sh of the same release."
}

variable "architecture" {
  type    = string
  default = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "Use x86_64 or arm64, as the rpm and k3s are."
  }
}

variable "region" {
  type    = string
  default = "eu-central-1"
}

source "amazon-ebs" "quorate-k3s" {
  ami_name      = "quorate-k3s-al2023-${var.architecture}-{{timestamp}}"
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
  sources = ["source.amazon-ebs.quorate-k3s"]

  provisioner "file" {
    source      = var.rpm
    destination = "/tmp/quorate.rpm"
  }

  provisioner "file" {
    source      = var.k3s
    destination = "/tmp/k3s"
  }

  provisioner "file" {
    source      = var.install
    destination = "/tmp/install-k3s.sh"
  }

  provisioner "shell" {
    inline = [
      "set -eux",
      "echo '${var.k3s_sha256}  /tmp/k3s' | sha256sum --check",
      "sudo dnf install -y --setopt=install_weak_deps=False /tmp/quorate.rpm xfsprogs iptables-nft container-selinux",
      "sudo install -o root -g root -m 755 /tmp/k3s /usr/local/bin/k3s",
      # k3s.service and k3s-agent.service, both of them disabled: the agent alone starts what the group's role asks for. Amazon Linux 2023 does
      # not enforce SELinux; where you make it, install k3s-selinux too.
      "for kind in server agent; do sudo INSTALL_K3S_SKIP_DOWNLOAD=true INSTALL_K3S_SKIP_ENABLE=true INSTALL_K3S_SKIP_START=true INSTALL_K3S_SKIP_SELINUX_RPM=true INSTALL_K3S_SYMLINK=force sh /tmp/install-k3s.sh $kind; done",
      "quorate --version && k3s --version",
      # Not enabled here: user data does that. An image must not carry another instance's memory or data.
      "for unit in quorate k3s k3s-agent; do ! systemctl is-enabled --quiet $unit.service; done",
      "test -z \"$(sudo find /var/lib/quorate /var/lib/rancher/k3s /etc/rancher -type f 2>/dev/null)\"",
      "rm /tmp/quorate.rpm /tmp/k3s /tmp/install-k3s.sh",
      "sudo cloud-init clean --logs --machine-id",
    ]
  }
}
