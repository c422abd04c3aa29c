-- +goose Up
-- How long somebody is let in is the last end of their places: lists of guests ask it of each.
create index guest_places_of on guest_places (guest, until_at);

-- +goose Down
drop index guest_places_of;
