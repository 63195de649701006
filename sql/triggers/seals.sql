-- What was sealed stays sealed.
create or replace trigger seals_refuse_change
  before update or delete or truncate on tidemark.seals
  for each statement execute function tidemark.refuse_change();
