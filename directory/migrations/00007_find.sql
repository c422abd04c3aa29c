-- +goose Up
-- The e-mail that stands for all of a record, folded: lists are sorted by it.
alter table records add column main_email text not null default '';
update records set main_email = coalesce((select c.value_fold from record_contacts c
    where c.link = records.link and c.kind = 'email' order by c.is_primary desc, c.ord limit 1), '');

-- What sources filter and sort by. PostgreSQL refuses index entries of more than a third of a page: long texts stand in by their beginning. Each index ends with what a list is ordered by, so that a page needs no sorting; the
-- expressions are, letter for letter, those of the compiler of filters.
drop index records_by_display_name;
create index records_by_display_name on records (source_id, (case when display_name_fold = '' then 1 else 0 end), display_name_fold, link) where deleted_at is null;
create index records_sorted_by_user_name on records (source_id, user_name_key, link) where deleted_at is null;
create index records_by_main_email on records (source_id, (case when main_email = '' then 1 else 0 end), main_email, link) where deleted_at is null;
create index records_by_family_name on records (source_id, substr(lower(family_name), 1, 200), link) where deleted_at is null;
create index records_by_title on records (source_id, substr(lower(title), 1, 200), link) where deleted_at is null;
create index records_by_department on records (source_id, substr(lower(department), 1, 200), link) where deleted_at is null;
create index records_by_lower_number on records (source_id, substr(lower(employee_number), 1, 200), link) where deleted_at is null;
create index records_by_modified on records (source_id, updated_at, link) where deleted_at is null;
create index records_inactive on records (source_id, link) where deleted_at is null and not active;
drop index records_by_manager;
-- Most have no manager, or no number: left out, so that the engine does not take either for something all have in common.
create index records_by_manager on records (source_id, manager_key, link) where manager_key <> '';
drop index records_by_number;
create index records_by_number on records (employee_number) where employee_number <> '';

-- +goose Down
drop index records_by_number;
create index records_by_number on records (employee_number);
drop index records_by_manager;
create index records_by_manager on records (source_id, manager_key);
drop index records_inactive;
drop index records_by_modified;
drop index records_by_lower_number;
drop index records_by_department;
drop index records_by_title;
drop index records_by_family_name;
drop index records_by_main_email;
drop index records_sorted_by_user_name;
drop index records_by_display_name;
create index records_by_display_name on records (source_id, display_name_fold, link);
alter table records drop column main_email;
