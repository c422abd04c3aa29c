-- +goose Up
-- Who answers for a guest in the sponsor's place, by which handover. suspended_for says why one alone is kept out: empty, because an administrator said so. awake_at is when they were let in, or let in again,
-- last: who is not seen for long from then on is kept out.
alter table guests add column keeper text not null default '';
alter table guests add column keeper_ref text not null default '';
alter table guests add column suspended_for text not null default '';
alter table guests add column awake_at bigint not null default 0;
update guests set awake_at = created_at;
create index guests_keeper on guests (keeper) where keeper <> '';

-- +goose Down
drop index guests_keeper;
alter table guests drop column awake_at;
alter table guests drop column suspended_for;
alter table guests drop column keeper_ref;
alter table guests drop column keeper;
