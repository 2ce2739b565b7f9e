data "aws_partition" "here" {}

data "aws_caller_identity" "here" {}

data "aws_iam_policy_document" "ec2" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "member" {
  name               = "quorate-${var.cluster}-etcd"
  assume_role_policy = data.aws_iam_policy_document.ec2.json
}

resource "aws_iam_role_policy" "member" {
  name = "quorate"
  role = aws_iam_role.member.id
  policy = templatefile("${path.module}/../iam/member.json", {
    partition = data.aws_partition.here.partition
    account   = data.aws_caller_identity.here.account_id
    cluster   = var.cluster
    bucket    = aws_s3_bucket.store.id
    prefix    = local.prefix
  })
}

# Without it nothing can be read from a bucket that is encrypted with that key, or written to it.
resource "aws_iam_role_policy" "kms" {
  count = var.kms_key_arn == null ? 0 : 1

  name   = "quorate-kms"
  role   = aws_iam_role.member.id
  policy = templatefile("${path.module}/../iam/kms.json", { kms_key = var.kms_key_arn })
}

resource "aws_iam_role_policy" "target_group" {
  count = length(var.target_groups)

  name   = "quorate-target-group-${count.index}"
  role   = aws_iam_role.member.id
  policy = templatefile("${path.module}/../iam/target-group.json", { target_group = var.target_groups[count.index] })
}

# What Ignition fetches.
data "aws_iam_policy_document" "boot" {
  count = length(var.boot_objects) > 0 ? 1 : 0

  statement {
    actions   = ["s3:GetObject"]
    resources = var.boot_objects
  }
}

resource "aws_iam_role_policy" "boot" {
  count = length(var.boot_objects) > 0 ? 1 : 0

  name   = "boot"
  role   = aws_iam_role.member.id
  policy = data.aws_iam_policy_document.boot[0].json
}

resource "aws_iam_role_policy_attachment" "session_manager" {
  count = var.session_manager ? 1 : 0

  role       = aws_iam_role.member.name
  policy_arn = "arn:${data.aws_partition.here.partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"
}

resource "aws_iam_instance_profile" "member" {
  name = aws_iam_role.member.name
  role = aws_iam_role.member.name
}
