-- +goose Up
-- Whoever tells looks at what was told of its kind.
create index notices_kind on notices (kind, at);

-- +goose Down
drop index notices_kind;
