-- Tells whether a topic is one of those that a pattern stands for.
--
-- topic:   such as orders.order.placed
-- pattern: such as orders.*.placed (one word) or orders.# (any number of words, also none)
-- returns: whether it is
create or replace function tidemark.topic_matches(topic text, pattern text) returns boolean
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select '.' || topic_matches.topic ~ tidemark.topic_regex(topic_matches.pattern)
$$;
