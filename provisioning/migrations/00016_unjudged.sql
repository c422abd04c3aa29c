-- +goose Up
-- Rules that could not be judged for the person: such a failure is not tried again, because only other facts or another policy change it.
alter table failures add column rules text not null default '';

-- +goose Down
alter table failures drop column rules;
