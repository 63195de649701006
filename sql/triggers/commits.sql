-- A position never changes once it is given.
create or replace trigger commits_refuse_change
  before update or delete or truncate on tidemark.commits
  for each statement execute function tidemark.refuse_change();
