output "group" {
  value = aws_autoscaling_group.etcd.name
}

output "members_security_group" {
  value = aws_security_group.members.id
}

output "store" {
  value = local.tags["quorate:store"]
}
