-- Whoever appends what an inline projection reads applies it before he commits, or prepares to.
drop trigger if exists inline_debts_refuse on tidemark.inline_debts;

create constraint trigger inline_debts_refuse
  after insert on tidemark.inline_debts
  deferrable initially deferred
  for each row execute function tidemark.refuse_inline_debt();
