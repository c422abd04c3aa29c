-- +goose Up
-- For how long it is asked for, where that is less than days.
alter table approval_requests add column minutes integer not null default 0;

-- +goose Down
alter table approval_requests drop column minutes;
