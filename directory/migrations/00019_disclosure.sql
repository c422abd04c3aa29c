-- +goose Up
-- Until when a source wants nothing told of an end or a leave to come; null: as the rule of disclosure says.
alter table records add column disclose_at bigint;

-- +goose Down
alter table records drop column disclose_at;
