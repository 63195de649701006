-- Turns a pattern of topics into a regular expression for a topic with a dot before it. In a pattern * stands
-- for one word, # for any number of words, also none, as in AMQP's topic exchanges.
--
-- pattern: such as orders.*.placed or orders.#
-- returns: a regular expression
create or replace function tidemark.topic_regex(pattern text) returns text
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select '^' || string_agg(
    case w.word
      when '*' then '\.[^.]+'
      when '#' then '(\.[^.]+)*'
      else '\.' || regexp_replace(w.word, '([^[:alnum:]_])', '\\\1', 'g')
    end,
    '' order by w.ordinality
  ) || '$'
  from regexp_split_to_table(topic_regex.pattern, '\.') with ordinality as w (word, ordinality)
$$;
