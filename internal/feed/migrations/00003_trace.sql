-- +goose Up
alter table feed_events add column trace text not null default ''; -- traceparent of the step that told of it; '': it is not traced

-- +goose Down
alter table feed_events drop column trace;
