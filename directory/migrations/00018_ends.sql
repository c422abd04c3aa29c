-- +goose Up
-- Whose planned end comes next, and whose leave is over, are asked every minute.
create index freezes_ends on freezes (from_at) where lifted_at is null and cause = 'ended';
create index records_leaves on records (leave_until) where leave_until is not null and deleted_at is null;

-- +goose Down
drop index records_leaves;
drop index freezes_ends;
