resource "aws_security_group" "members" {
  name        = "quorate-${var.cluster}-etcd"
  description = "Members of the etcd cluster ${var.cluster}"
  vpc_id      = var.vpc
}

resource "aws_vpc_security_group_ingress_rule" "members" {
  description                  = "agents (2378), etcd clients (2379), etcd peers (2380)"
  security_group_id            = aws_security_group.members.id
  referenced_security_group_id = aws_security_group.members.id
  ip_protocol                  = "tcp"
  from_port                    = 2378
  to_port                      = 2380
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = var.client_security_groups

  description                  = "etcd clients"
  security_group_id            = aws_security_group.members.id
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 2379
  to_port                      = 2379
}

resource "aws_vpc_security_group_ingress_rule" "ssh" {
  for_each = var.ssh == null ? toset([]) : var.ssh.security_groups

  description                  = "operators"
  security_group_id            = aws_security_group.members.id
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 22
  to_port                      = 22
}

resource "aws_vpc_security_group_egress_rule" "all" {
  description       = "AWS, the peers, time and names"
  security_group_id = aws_security_group.members.id
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}
