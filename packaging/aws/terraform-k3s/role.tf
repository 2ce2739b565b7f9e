data "aws_partition" "here" {}

data "aws_caller_identity" "here" {}

data "aws_region" "here" {}

locals {
  # Servers need both tokens; a worker's alone cannot make a server.
  tokens   = { control-plane = "*-token", worker = "agent-token" }
  policies = { control-plane = "member.json", worker = "worker.json" }
}

data "aws_iam_policy_document" "ec2" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "node" {
  for_each = local.policies

  name               = "quorate-${var.cluster}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.ec2.json
}

resource "aws_iam_role_policy" "node" {
  for_each = local.policies

  name = "quorate"
  role = aws_iam_role.node[each.key].id
  policy = templatefile("${path.module}/../iam/${each.value}", {
    partition = data.aws_partition.here.partition
    account   = data.aws_caller_identity.here.account_id
    cluster   = var.cluster
    bucket    = aws_s3_bucket.store.id
    prefix    = local.prefix
  })
}

# The parameters themselves are not made here: Terraform would keep the tokens in its state.
resource "aws_iam_role_policy" "token" {
  for_each = local.tokens

  name = "k3s-token"
  role = aws_iam_role.node[each.key].id
  policy = templatefile("${path.module}/../iam/k3s-token.json", {
    partition = data.aws_partition.here.partition
    region    = data.aws_region.here.name
    account   = data.aws_caller_identity.here.account_id
    cluster   = var.cluster
    token     = each.value
  })
}

# Without it nothing can be read from a bucket that is encrypted with that key, or, by servers, written to it.
resource "aws_iam_role_policy" "kms" {
  for_each = var.kms_key_arn == null ? {} : { control-plane = "kms.json", worker = "kms-worker.json" }

  name   = "quorate-kms"
  role   = aws_iam_role.node[each.key].id
  policy = templatefile("${path.module}/../iam/${each.value}", { kms_key = var.kms_key_arn })
}

resource "aws_iam_role_policy" "target_group" {
  count = length(var.target_groups)

  name   = "quorate-target-group-${count.index}"
  role   = aws_iam_role.node[var.target_groups[count.index].role].id
  policy = templatefile("${path.module}/../iam/target-group.json", { target_group = var.target_groups[count.index].arn })
}

# What Ignition fetches. Not needed where the image has all in it.
data "aws_iam_policy_document" "boot" {
  for_each = { for role, objects in var.boot_objects : role => objects if length(objects) > 0 }

  statement {
    actions   = ["s3:GetObject"]
    resources = each.value
  }
}

resource "aws_iam_role_policy" "boot" {
  for_each = data.aws_iam_policy_document.boot

  name   = "boot"
  role   = aws_iam_role.node[each.key].id
  policy = each.value.json
}

resource "aws_iam_role_policy_attachment" "session_manager" {
  for_each = var.session_manager ? local.policies : {}

  role       = aws_iam_role.node[each.key].name
  policy_arn = "arn:${data.aws_partition.here.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_instance_profile" "node" {
  for_each = local.policies

  name = aws_iam_role.node[each.key].name
  role = aws_iam_role.node[each.key].name
}
