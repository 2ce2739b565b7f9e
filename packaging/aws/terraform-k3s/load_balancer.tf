# A stable address of the API, for people and programs outside of the cluster. The nodes themselves do not need it: they ask the living servers.
# All of it is left out where var.load_balancer is null.
locals {
  balancers = var.load_balancer == null ? 0 : 1
}

resource "aws_security_group" "api" {
  count = local.balancers

  name        = "quorate-${var.cluster}-api"
  description = "The load balancer of the Kubernetes API of ${var.cluster}"
  vpc_id      = var.vpc
}

resource "aws_vpc_security_group_egress_rule" "api" {
  for_each = local.balancers == 0 ? {} : { api = 6443, health = 2377 }

  description                  = each.key
  security_group_id            = aws_security_group.api[0].id
  referenced_security_group_id = aws_security_group.servers.id
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
}

resource "aws_lb" "api" {
  count = local.balancers

  name                             = "quorate-${var.cluster}-api"
  load_balancer_type               = "network"
  internal                         = var.load_balancer.internal
  subnets                          = var.subnets
  security_groups                  = aws_security_group.api[*].id
  enable_cross_zone_load_balancing = true
}

resource "aws_lb_target_group" "api" {
  count = local.balancers

  name     = "quorate-${var.cluster}-api"
  vpc_id   = var.vpc
  port     = 6443
  protocol = "TCP"
  # The group begins with the termination hook only when this is over.
  deregistration_delay = 30
  # With the client's own address a server could not reach itself through the balancer.
  preserve_client_ip = "false"

  # Answered by the agent ([health] listen): it says no as soon as the server is to leave, long before the API is down.
  health_check {
    protocol            = "HTTP"
    port                = "2377"
    path                = "/readyz"
    matcher             = "200"
    interval            = 5
    timeout             = 3
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

resource "aws_lb_listener" "api" {
  count = local.balancers

  load_balancer_arn = aws_lb.api[0].arn
  port              = 6443
  protocol          = "TCP"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.api[0].arn
  }
}

resource "aws_route53_record" "api" {
  count = local.balancers

  zone_id = var.load_balancer.zone
  name    = var.load_balancer.name
  type    = "A"

  alias {
    name                   = aws_lb.api[0].dns_name
    zone_id                = aws_lb.api[0].zone_id
    evaluate_target_health = false
  }
}
