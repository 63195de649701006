/**
 * Makes a schema with a function for every name that ours call, an operator for every one that they
 * use, and a table for every one that they read. Each of them raises when it is called.
 */
export const traps = /* sql */ `
  create schema evil;
  do $do$
  declare
    v_function record;
    v_operator record;
    v_count integer := 0;
  begin
    for v_function in
      select distinct p.proname as name, pg_get_function_identity_arguments(p.oid) as arguments,
        pg_get_function_result(p.oid) as result
      from pg_catalog.pg_proc as p
      where p.prokind = 'f'
        and p.pronamespace = 'pg_catalog'::regnamespace
        and p.proname in (
          'hashtextextended', 'pg_current_xact_id', 'pg_current_snapshot', 'pg_visible_in_snapshot',
          'pg_snapshot_xmin', 'pg_snapshot_xmax', 'pg_snapshot_xip', 'pg_advisory_xact_lock',
          'pg_advisory_xact_lock_shared', 'pg_notify', 'jsonb_typeof', 'jsonb_array_length',
          'jsonb_array_elements', 'jsonb_array_elements_text', 'gen_random_uuid', 'cardinality',
          'pg_try_advisory_xact_lock', 'pg_try_advisory_xact_lock_shared', 'sha256', 'convert_to',
          'clock_timestamp', 'statement_timestamp', 'int8'
        )
    loop
      execute format(
        'create function evil.%I(%s) returns %s language plpgsql as %L',
        v_function.name, v_function.arguments, v_function.result,
        'begin raise exception ''evil function called''; end'
      );
      v_count := v_count + 1;
    end loop;
    for v_operator in
      select o.oprname as name, o.oprleft::regtype as l, o.oprright::regtype as r, o.oprresult::regtype as result
      from pg_catalog.pg_operator as o
      where o.oprname in ('=', '<>', '<', '>', '<=', '>=', '+', '-', '||', '!~', '->', '->>')
        and o.oprleft in ('text'::regtype, 'bigint'::regtype, 'integer'::regtype, 'smallint'::regtype,
          'xid8'::regtype, 'boolean'::regtype, 'jsonb'::regtype)
        and o.oprright in ('text'::regtype, 'bigint'::regtype, 'integer'::regtype, 'smallint'::regtype,
          'xid8'::regtype, 'boolean'::regtype)
    loop
      v_count := v_count + 1;
      execute format(
        'create function evil.trap_%s(%s, %s) returns %s language plpgsql as %L',
        v_count, v_operator.l, v_operator.r, v_operator.result,
        'begin raise exception ''evil operator called''; end'
      );
      execute format(
        'create operator evil.%s (leftarg = %s, rightarg = %s, function = evil.trap_%s)',
        v_operator.name, v_operator.l, v_operator.r, v_count
      );
    end loop;
    if v_count < 60 then
      raise exception 'only % traps were made', v_count;
    end if;
  end
  $do$;
  create function evil.expectation_holds(text, bigint) returns boolean language sql as 'select true';
  create function evil.stream_lock_key(text) returns bigint language sql as 'select 1::bigint';
  create function evil.append_stream(text, text, uuid[], text[], smallint[], text[], text[], text[])
    returns boolean language sql as 'select true'`

/** Tables that ours could be mistaken for, in any schema. */
export const lookalikes = (schema: string) =>
  ['events', 'commits', 'sequencer', 'inserted', 'log', 'e', 'missing', 'written']
    .map(
      (name) =>
        `create ${schema === 'pg_temp' ? 'temp ' : ''}table ${schema}.${name} (id integer);`,
    )
    .join('\n')
