-- A message stays as it was published, until it is removed.
create or replace trigger outbox_refuse_change
  before update or truncate on tidemark.outbox
  for each statement execute function tidemark.refuse_change();

create or replace trigger outbox_guard
  after insert on tidemark.outbox
  referencing new table as inserted
  for each statement execute function tidemark.guard_outbox();
