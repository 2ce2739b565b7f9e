output "group" {
  value = aws_autoscaling_group.etcd.name
}

output "members_security_group" {
  value = aws_security_group.members.id
}

output "store" {
  value = local.tags["quorate:store"]
}

output "snapshots" {
  value       = "${local.tags["quorate:store"]}/${var.cluster}/snapshots/"
  description = "Where this cluster's snapshots lie. Another lifecycle rule of the bucket may name this and nothing above it."
}
