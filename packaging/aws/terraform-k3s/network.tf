resource "aws_security_group" "nodes" {
  name        = "quorate-${var.cluster}-nodes"
  description = "Servers and workers of the k3s cluster ${var.cluster}"
  vpc_id      = var.vpc
}

resource "aws_security_group" "servers" {
  name        = "quorate-${var.cluster}-servers"
  description = "Servers of the k3s cluster ${var.cluster}"
  vpc_id      = var.vpc
}

locals {
  # Among all nodes. A pod's traffic to a node leaves with its own node's address: these ports are open to pods too, unless a network policy says
  # otherwise.
  nodes = {
    agents  = { protocol = "tcp", from = 2378, to = 2378 }
    kubelet = { protocol = "tcp", from = 10250, to = 10250 }
    flannel = { protocol = "udp", from = 8472, to = 8472 }
  }

  # To the servers.
  servers = merge(
    {
      api_for_nodes = { source = aws_security_group.nodes.id, from = 6443, to = 6443 }
      etcd          = { source = aws_security_group.servers.id, from = 2379, to = 2380 }
    },
    { for group in aws_security_group.api[*].id : "api_for_balancer" => { source = group, from = 6443, to = 6443 } },
    { for group in aws_security_group.api[*].id : "health" => { source = group, from = 2377, to = 2377 } },
  )

  # Where clients of the API come in.
  front = one(concat(aws_security_group.api[*].id, var.load_balancer == null ? [aws_security_group.servers.id] : []))
}

resource "aws_vpc_security_group_ingress_rule" "nodes" {
  for_each = local.nodes

  description                  = each.key
  security_group_id            = aws_security_group.nodes.id
  referenced_security_group_id = aws_security_group.nodes.id
  ip_protocol                  = each.value.protocol
  from_port                    = each.value.from
  to_port                      = each.value.to
}

resource "aws_vpc_security_group_ingress_rule" "servers" {
  for_each = local.servers

  description                  = each.key
  security_group_id            = aws_security_group.servers.id
  referenced_security_group_id = each.value.source
  ip_protocol                  = "tcp"
  from_port                    = each.value.from
  to_port                      = each.value.to
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = var.client_security_groups

  description                  = "clients of the Kubernetes API"
  security_group_id            = local.front
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 6443
  to_port                      = 6443
}

resource "aws_vpc_security_group_ingress_rule" "ssh" {
  for_each = var.ssh == null ? toset([]) : var.ssh.security_groups

  description                  = "operators"
  security_group_id            = aws_security_group.nodes.id
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 22
  to_port                      = 22
}

resource "aws_vpc_security_group_egress_rule" "all" {
  description       = "AWS, the nodes, registries, time and names"
  security_group_id = aws_security_group.nodes.id
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}
