-- An event keeps its tags.
create or replace trigger event_tags_refuse_change
  before update or delete or truncate on tidemark.event_tags
  for each statement execute function tidemark.refuse_change();
