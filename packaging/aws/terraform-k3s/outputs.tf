output "groups" {
  value = { for role, group in aws_autoscaling_group.node : role => group.name }
}

output "endpoint" {
  value       = one([for record in aws_route53_record.api : "https://${record.name}:6443"])
  description = "What [kubernetes] endpoint has to say in the servers' configuration; null without a load balancer."
}

output "nodes_security_group" {
  value = aws_security_group.nodes.id
}

output "store" {
  value = local.store
}

output "snapshots" {
  value       = "${local.store}/${var.cluster}/snapshots/"
  description = "Where this cluster's snapshots lie. Another lifecycle rule of the bucket may name this and nothing above it."
}
