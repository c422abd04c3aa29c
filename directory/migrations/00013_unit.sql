-- +goose Up
-- Most records of many sources are in no unit: left out, so that the engine does not take a unit for something all have in common.
drop index records_by_unit;
create index records_by_unit on records (source_id, unit_key) where unit_key <> '';

-- +goose Down
drop index records_by_unit;
create index records_by_unit on records (source_id, unit_key);
