-- +goose Up
-- Why each place stood when the review began, and since when: what reviewers are shown.
alter table review_lines add column grounds text not null default '[]';

-- +goose Down
alter table review_lines drop column grounds;
