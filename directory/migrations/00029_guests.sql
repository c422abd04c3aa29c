-- +goose Up
-- Who is kept out as a guest: looked for every minute.
create index freezes_guests on freezes (slot, person_id) where lifted_at is null and slot >= 'guests.' and slot < 'guests/';

-- +goose Down
drop index freezes_guests;
