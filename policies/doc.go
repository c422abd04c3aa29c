// Package policies owns the policy language: project groups with channels and roles, rules in CEL, guard limits.
// Parse, Merge and Evaluate are pure: no clock, no database, no I/O; the same subject under the same policy
// always gets the same answer. It stores nothing and grants nothing; package provisioning does.
package policies
