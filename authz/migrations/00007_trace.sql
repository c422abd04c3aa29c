-- +goose Up
alter table authz_log add column trace text not null default ''; -- in the first change of a revision: traceparent of the step that made it; '': it is not traced

-- +goose Down
alter table authz_log drop column trace;
