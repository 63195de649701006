import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type ExtensibleEventDefinition, event } from './event.ts'

type InputOf<S extends StandardSchemaV1> = StandardSchemaV1.InferInput<S>
type OutputOf<S extends StandardSchemaV1> = StandardSchemaV1.InferOutput<S>

/** A row that was found when the table was captured, or that was created. */
export interface CapturedRow<Row> {
  /** The row as it is since. */
  readonly row: Row
}

/** A row that was changed. */
export interface ChangedRow<Row> extends CapturedRow<Row> {
  /** The row as it was before, whole. */
  readonly old: Row
}

/** A row that was deleted. */
export interface DeletedRow<Row> {
  /** The row as it was. */
  readonly old: Row
}

/** The events of a captured table. */
export interface CapturedEvents<Category extends string, S extends StandardSchemaV1> {
  /** A row that was there before, by a snapshot. Nothing happened: no reason to greet a customer. */
  readonly captured: ExtensibleEventDefinition<
    `${Category}.captured`,
    CapturedRow<InputOf<S>>,
    CapturedRow<OutputOf<S>>
  >
  readonly created: ExtensibleEventDefinition<
    `${Category}.created`,
    CapturedRow<InputOf<S>>,
    CapturedRow<OutputOf<S>>
  >
  readonly changed: ExtensibleEventDefinition<
    `${Category}.changed`,
    ChangedRow<InputOf<S>>,
    ChangedRow<OutputOf<S>>
  >
  readonly deleted: ExtensibleEventDefinition<
    `${Category}.deleted`,
    DeletedRow<InputOf<S>>,
    DeletedRow<OutputOf<S>>
  >
}

/**
 * Defines the events that the capture of a table appends, for projections, reactors and deciders that read
 * them.
 *
 * @param category what the table is captured as: `tidemark capture public.orders --as order`.
 * @param row schema of a row as JSON has it: `bigint` and `numeric` are strings, times ISO texts, `bytea` is
 *   `\x…` in hexadecimal. Data is not checked when it is read, so it only has to be true.
 * @throws DEFINITION_INVALID when the category is empty.
 *
 * @example
 * const orders = captured('order', z.object({ id: z.string(), status: z.string(), paid_at: z.string().nullable() }))
 * reactor('mail', { events: [orders.created], … })
 */
export function captured<const Category extends string, S extends StandardSchemaV1>(
  category: Category,
  row: S,
): CapturedEvents<Category, S> {
  const found = objectOf<S, CapturedRow<InputOf<S>>, CapturedRow<OutputOf<S>>>({ row })
  return {
    captured: event(`${category}.captured`).v(1, found),
    created: event(`${category}.created`).v(1, found),
    changed: event(`${category}.changed`).v(
      1,
      objectOf<S, ChangedRow<InputOf<S>>, ChangedRow<OutputOf<S>>>({ row, old: row }),
    ),
    deleted: event(`${category}.deleted`).v(
      1,
      objectOf<S, DeletedRow<InputOf<S>>, DeletedRow<OutputOf<S>>>({ old: row }),
    ),
  } as unknown as CapturedEvents<Category, S>
}

/** Makes the schema of an object with these parts and nothing else, of whatever library they are. */
function objectOf<S extends StandardSchemaV1, Input, Output>(
  parts: Readonly<Record<string, S>>,
): StandardSchemaV1<Input, Output> {
  const validate = (value: unknown) => {
    if (typeof value !== 'object' || value === null) return { issues: [{ message: 'no object' }] }
    const unknown = Object.keys(value).filter((name) => !(name in parts))
    const results = Object.entries(parts).map(
      ([name, part]) =>
        [name, part['~standard'].validate((value as Record<string, unknown>)[name])] as const,
    )
    const issues = [
      ...unknown.map((name) => ({ message: 'nobody knows it', path: [name] })),
      ...results.flatMap(([name, result]) => issuesOf(name, result)),
    ]
    if (issues.length > 0) return { issues }
    return {
      value: Object.fromEntries(
        results.map(([name, result]) => [name, 'value' in result ? result.value : undefined]),
      ) as Output,
    }
  }
  return { '~standard': { version: 1, vendor: 'tidemark', validate } }
}

function issuesOf(
  name: string,
  result: StandardSchemaV1.Result<unknown> | Promise<StandardSchemaV1.Result<unknown>>,
): StandardSchemaV1.Issue[] {
  if (result instanceof Promise) {
    return [{ message: 'its schema validates asynchronously', path: [name] }]
  }
  return (result.issues ?? []).map((issue) => ({ ...issue, path: [name, ...(issue.path ?? [])] }))
}
