-- The event log is append-only and its versions have no hole.
create or replace trigger events_refuse_change
  before update or delete or truncate on tidemark.events
  for each statement execute function tidemark.refuse_change();

create or replace trigger events_guard
  after insert on tidemark.events
  referencing new table as inserted
  for each statement execute function tidemark.guard_events();
