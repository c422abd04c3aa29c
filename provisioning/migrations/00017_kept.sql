-- +goose Up
-- Of what an undo or a rejected hold keeps: a digest of where the person worked then. Who works elsewhere since has moved, and the keep is over.
alter table reasons add column placed text not null default '';

-- +goose Down
alter table reasons drop column placed;
