-- +goose Up
-- Whether its source asks for what it pushed, as SCIM does. Only such a source filters and sorts by what stands in these indexes; of a directory that is read they
-- were a fifth of the work of the first synchronisation. What an older node writes meanwhile is in them, whatever it is of.
alter table records add column pushed boolean not null default true;
update records set pushed = false where source_id in (select id from sources where kind not in ('scim', 'console'));
drop index records_by_display_name;
create index records_by_display_name on records (source_id, (case when display_name_fold = '' then 1 else 0 end), display_name_fold, link) where deleted_at is null and pushed;
drop index records_sorted_by_user_name;
create index records_sorted_by_user_name on records (source_id, user_name_key, link) where deleted_at is null and pushed;
drop index records_by_main_email;
create index records_by_main_email on records (source_id, (case when main_email = '' then 1 else 0 end), main_email, link) where deleted_at is null and pushed;
drop index records_by_family_name;
create index records_by_family_name on records (source_id, substr(lower(family_name), 1, 200), link) where deleted_at is null and pushed;
drop index records_by_title;
create index records_by_title on records (source_id, substr(lower(title), 1, 200), link) where deleted_at is null and pushed;
drop index records_by_department;
create index records_by_department on records (source_id, substr(lower(department), 1, 200), link) where deleted_at is null and pushed;
drop index records_by_modified;
create index records_by_modified on records (source_id, updated_at, link) where deleted_at is null and pushed;

-- +goose Down
drop index records_by_display_name;
create index records_by_display_name on records (source_id, (case when display_name_fold = '' then 1 else 0 end), display_name_fold, link) where deleted_at is null;
drop index records_sorted_by_user_name;
create index records_sorted_by_user_name on records (source_id, user_name_key, link) where deleted_at is null;
drop index records_by_main_email;
create index records_by_main_email on records (source_id, (case when main_email = '' then 1 else 0 end), main_email, link) where deleted_at is null;
drop index records_by_family_name;
create index records_by_family_name on records (source_id, substr(lower(family_name), 1, 200), link) where deleted_at is null;
drop index records_by_title;
create index records_by_title on records (source_id, substr(lower(title), 1, 200), link) where deleted_at is null;
drop index records_by_department;
create index records_by_department on records (source_id, substr(lower(department), 1, 200), link) where deleted_at is null;
drop index records_by_modified;
create index records_by_modified on records (source_id, updated_at, link) where deleted_at is null;
alter table records drop column pushed;
