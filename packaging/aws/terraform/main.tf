locals {
  prefix = "quorate"

  tags = {
    Name              = "${var.cluster}-etcd"
    "quorate:cluster" = var.cluster
    "quorate:role"    = "etcd"
    "quorate:store"   = "s3://${aws_s3_bucket.store.id}/${local.prefix}"
  }

  # Room for one more: a new member joins before the old one leaves.
  one_more_percent = ceil(100 * (var.size + 1) / var.size)
}

# An image boots on its own architecture alone.
data "aws_ami" "image" {
  most_recent = true

  filter {
    name   = "image-id"
    values = [var.ami]
  }
}

data "aws_ec2_instance_type" "usable" {
  for_each = toset(concat([var.instance_type], try(var.mixed_instances.instance_types, [])))

  instance_type = each.value
}

resource "aws_launch_template" "etcd" {
  name                   = "quorate-${var.cluster}-etcd"
  image_id               = var.ami
  instance_type          = var.instance_type
  user_data              = base64encode(var.user_data)
  key_name               = try(var.ssh.key, null)
  vpc_security_group_ids = [aws_security_group.members.id]
  update_default_version = true

  iam_instance_profile {
    arn = aws_iam_instance_profile.member.arn
  }

  # With the tags in the metadata the agent learns its group without a call to Auto Scaling.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
    instance_metadata_tags      = "enabled"
  }

  block_device_mappings {
    device_name = "/dev/xvdb"

    ebs {
      volume_type           = "gp3"
      volume_size           = var.data_volume_gib
      encrypted             = true
      delete_on_termination = true
    }
  }

  # Only an encrypted root volume can hold an instance's memory.
  dynamic "hibernation_options" {
    for_each = try(var.warm_pool.state, null) == "Hibernated" ? [true] : []

    content {
      configured = true
    }
  }

  tag_specifications {
    resource_type = "volume"
    tags          = local.tags
  }

  lifecycle {
    precondition {
      condition     = alltrue([for type in data.aws_ec2_instance_type.usable : contains(type.supported_architectures, data.aws_ami.image.architecture)])
      error_message = "An instance type is of another architecture than the image ${var.ami}."
    }
  }
}

resource "aws_autoscaling_group" "etcd" {
  name                = "quorate-${var.cluster}-etcd"
  vpc_zone_identifier = var.subnets
  min_size            = var.size
  desired_capacity    = var.size
  max_size            = var.size + 1
  # Never ELB with /readyz: with quorum lost every member is 503 there, and the group would terminate the survivors.
  health_check_type = "EC2"
  # An instance is in service when its launch hook is completed, and that is when it has joined. No need to wait any longer.
  health_check_grace_period = 0
  default_instance_warmup   = 0
  capacity_rebalance        = try(var.mixed_instances.capacity_rebalance, false)

  # Without a mixed-instances policy the template stands alone.
  dynamic "launch_template" {
    for_each = var.mixed_instances == null ? [true] : []

    content {
      id      = aws_launch_template.etcd.id
      version = aws_launch_template.etcd.latest_version
    }
  }

  dynamic "mixed_instances_policy" {
    for_each = var.mixed_instances == null ? [] : [var.mixed_instances]

    content {
      instances_distribution {
        on_demand_base_capacity                  = mixed_instances_policy.value.on_demand_base
        on_demand_percentage_above_base_capacity = mixed_instances_policy.value.on_demand_percent
        spot_allocation_strategy                 = mixed_instances_policy.value.spot_strategy
      }

      launch_template {
        launch_template_specification {
          launch_template_id = aws_launch_template.etcd.id
          version            = aws_launch_template.etcd.latest_version
        }

        dynamic "override" {
          for_each = concat([var.instance_type], mixed_instances_policy.value.instance_types)

          content {
            instance_type = override.value
          }
        }
      }
    }
  }

  dynamic "warm_pool" {
    for_each = var.warm_pool == null ? [] : [var.warm_pool]

    content {
      min_size   = warm_pool.value.size
      pool_state = warm_pool.value.state
    }
  }

  # Part of the group, not resources of their own: those would come after the first instances, which then have none.
  initial_lifecycle_hook {
    name                 = "quorate-launch"
    lifecycle_transition = "autoscaling:EC2_INSTANCE_LAUNCHING"
    default_result       = "ABANDON"
    heartbeat_timeout    = 300
  }

  initial_lifecycle_hook {
    name                 = "quorate-terminate"
    lifecycle_transition = "autoscaling:EC2_INSTANCE_TERMINATING"
    default_result       = "CONTINUE"
    heartbeat_timeout    = 300
  }

  # Every replacement (a refresh, a failed health check or a rebalance) launches before it terminates.
  instance_maintenance_policy {
    min_healthy_percentage = 100
    max_healthy_percentage = local.one_more_percent
  }

  instance_refresh {
    strategy = "Rolling"

    preferences {
      min_healthy_percentage = 100
      max_healthy_percentage = local.one_more_percent
      skip_matching          = true
    }
  }

  # The agents find the groups of their cluster by these, and its instances by them too.
  dynamic "tag" {
    for_each = local.tags

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  # The first instance acts as soon as it boots.
  depends_on = [
    aws_iam_role_policy.member,
    aws_iam_role_policy.kms,
    aws_iam_role_policy.boot,
    aws_s3_bucket_server_side_encryption_configuration.store,
    aws_s3_bucket_versioning.store,
    aws_vpc_security_group_ingress_rule.members,
    aws_vpc_security_group_egress_rule.all,
  ]
}
