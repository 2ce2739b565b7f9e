locals {
  prefix = "quorate"
  store  = "s3://${aws_s3_bucket.store.id}/${local.prefix}"

  # Both roles are made alike; what differs is here. Further groups of workers, or one group of servers for each zone, are more entries: the
  # agents take all groups with the same quorate:cluster and quorate:role as one.
  groups = {
    control-plane = {
      size            = var.servers
      most            = var.servers + 1
      ami             = var.server_ami
      user_data       = var.server_user_data
      instance_type   = var.server_instance_type
      security_groups = [aws_security_group.nodes.id, aws_security_group.servers.id]
      targets         = aws_lb_target_group.api[*].arn
      mixed           = null
      warm            = null
    }
    worker = {
      size            = var.workers
      most            = max(var.most_workers, var.workers + 1)
      ami             = var.worker_ami
      user_data       = var.worker_user_data
      instance_type   = var.worker_instance_type
      security_groups = [aws_security_group.nodes.id]
      targets         = []
      mixed           = var.worker_mixed_instances
      warm            = var.warm_workers
    }
  }
}

# An image boots on its own architecture alone.
data "aws_ami" "image" {
  for_each = local.groups

  most_recent = true

  filter {
    name   = "image-id"
    values = [each.value.ami]
  }
}

data "aws_ec2_instance_type" "usable" {
  for_each = toset(concat([var.server_instance_type, var.worker_instance_type], try(var.worker_mixed_instances.instance_types, [])))

  instance_type = each.value
}

resource "aws_launch_template" "node" {
  for_each = local.groups

  name                   = "quorate-${var.cluster}-${each.key}"
  image_id               = each.value.ami
  instance_type          = each.value.instance_type
  user_data              = base64encode(each.value.user_data)
  key_name               = try(var.ssh.key, null)
  vpc_security_group_ids = each.value.security_groups
  update_default_version = true

  iam_instance_profile {
    arn = aws_iam_instance_profile.node[each.key].arn
  }

  # With the tags in the metadata the agent learns its group without a call to Auto Scaling. One hop keeps pods with a network of their own from the
  # instance's role. A pod on the host's network (hostNetwork: true) is as near as the agent, and gets it: forbid those with Pod Security (baseline) where
  # people deploy, and taint the servers.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
    instance_metadata_tags      = "enabled"
  }

  # /var/lib/rancher/k3s: a server's etcd, and images and containers. On a volume of its own they cannot fill the root disk.
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
    for_each = try(each.value.warm.state, null) == "Hibernated" ? [true] : []

    content {
      configured = true
    }
  }

  tag_specifications {
    resource_type = "volume"
    tags          = { Name = "${var.cluster}-${each.key}" }
  }

  lifecycle {
    precondition {
      condition = alltrue([
        for type in concat([each.value.instance_type], try(each.value.mixed.instance_types, [])) :
        contains(data.aws_ec2_instance_type.usable[type].supported_architectures, data.aws_ami.image[each.key].architecture)
      ])
      error_message = "An instance type is of another architecture than the image ${each.value.ami}."
    }
  }
}

resource "aws_autoscaling_group" "node" {
  for_each = local.groups

  name                = "quorate-${var.cluster}-${each.key}"
  vpc_zone_identifier = var.subnets
  min_size            = each.value.size
  max_size            = each.value.most
  # The load balancer decides which servers get requests, not which ones are replaced: a shared fault would have every server replaced at once.
  # Never ELB with /readyz: with quorum lost every server is 503 there, and the group would terminate the survivors.
  health_check_type = "EC2"
  # An instance is in service when its launch hook is completed, and that is when its Node is Ready. No need to wait any longer.
  health_check_grace_period = 0
  default_instance_warmup   = 0
  capacity_rebalance        = try(each.value.mixed.capacity_rebalance, false)
  target_group_arns         = each.value.targets

  # Without a mixed-instances policy the template stands alone.
  dynamic "launch_template" {
    for_each = each.value.mixed == null ? [true] : []

    content {
      id      = aws_launch_template.node[each.key].id
      version = aws_launch_template.node[each.key].latest_version
    }
  }

  dynamic "mixed_instances_policy" {
    for_each = each.value.mixed == null ? [] : [each.value.mixed]

    content {
      instances_distribution {
        on_demand_base_capacity                  = mixed_instances_policy.value.on_demand_base
        on_demand_percentage_above_base_capacity = mixed_instances_policy.value.on_demand_percent
        spot_allocation_strategy                 = mixed_instances_policy.value.spot_strategy
      }

      launch_template {
        launch_template_specification {
          launch_template_id = aws_launch_template.node[each.key].id
          version            = aws_launch_template.node[each.key].latest_version
        }

        dynamic "override" {
          for_each = concat([each.value.instance_type], mixed_instances_policy.value.instance_types)

          content {
            instance_type = override.value
          }
        }
      }
    }
  }

  dynamic "warm_pool" {
    for_each = each.value.warm == null ? [] : [each.value.warm]

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

  # Every replacement (a refresh, a failed health check or a rebalance) launches before it terminates. Room for one more.
  instance_maintenance_policy {
    min_healthy_percentage = 100
    max_healthy_percentage = ceil(100 * (each.value.size + 1) / each.value.size)
  }

  instance_refresh {
    strategy = "Rolling"

    preferences {
      min_healthy_percentage = 100
      max_healthy_percentage = ceil(100 * (each.value.size + 1) / each.value.size)
      skip_matching          = true
    }
  }

  # The agents find the groups of their cluster by these, and its instances by them too.
  dynamic "tag" {
    for_each = {
      Name              = "${var.cluster}-${each.key}"
      "quorate:cluster" = var.cluster
      "quorate:role"    = each.key
      "quorate:store"   = local.store
    }

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }

  # The first instance acts as soon as it boots.
  depends_on = [
    aws_iam_role_policy.node,
    aws_iam_role_policy.kms,
    aws_iam_role_policy.token,
    aws_iam_role_policy.boot,
    aws_s3_bucket_server_side_encryption_configuration.store,
    aws_s3_bucket_versioning.store,
    aws_vpc_security_group_ingress_rule.nodes,
    aws_vpc_security_group_ingress_rule.servers,
    aws_vpc_security_group_egress_rule.all,
  ]
}
