-- Moves a checkpoint, by compare-and-set, in the transaction that applies the events it passes.
--
-- kind, name, version: the subscription
-- after:               where the caller believes the checkpoint to be
-- upto:                where it is to be
-- owner:               the caller's name, for people
-- returns:             whether it moved; false: another process has moved it, apply nothing
-- locks:               the subscription's row, until the end of the transaction
create or replace function tidemark.advance_subscription(
  kind text,
  name text,
  version integer,
  after bigint,
  upto bigint,
  owner text
)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
  update tidemark.subscriptions as s
  set
    position = advance_subscription.upto,
    owner = advance_subscription.owner,
    state = 'active',
    error = null,
    updated_at = clock_timestamp()
  where s.kind = advance_subscription.kind
    and s.name = advance_subscription.name
    and s.version = advance_subscription.version
    and s.position = advance_subscription.after;
  return found;
end
$$;
