import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { EventDataIssue } from './error-details.ts'
import { isPromise } from './is-promise.ts'
import { TidemarkError } from './tidemark-error.ts'

/**
 * Checks an event's data against its schema and returns what the schema made of it.
 *
 * @throws EVENT_DATA_INVALID with every issue and its path, never with the data itself.
 * @throws NOT_SUPPORTED when the schema is asynchronous: a definition must be pure.
 */
export function validateData(
  type: string,
  schemaVersion: number,
  schema: StandardSchemaV1,
  data: unknown,
): unknown {
  const result = schema['~standard'].validate(data)
  if (isPromise(result)) {
    Promise.resolve(result).catch(() => {})
    throw new TidemarkError(
      'NOT_SUPPORTED',
      `event "${type}" has an asynchronous schema: check what has to be looked up before the ` +
        'event is made, and let the schema check the rest',
      { details: { feature: 'asynchronous event schemas' } },
    )
  }
  if (result.issues === undefined) return result.value
  const issues = result.issues.map(toIssue)
  const first = issues[0]
  throw new TidemarkError(
    'EVENT_DATA_INVALID',
    `data of event "${type}" (schema version ${schemaVersion}) is invalid at ` +
      `"${first?.path ?? ''}": ${first?.message ?? 'unknown'}${more(issues.length)}`,
    { details: { type, schemaVersion, issues } },
  )
}

function toIssue(issue: StandardSchemaV1.Issue): EventDataIssue {
  const path = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part))
  return { path: path.join('.'), message: issue.message }
}

function more(count: number): string {
  return count > 1 ? ` (and ${count - 1} more)` : ''
}
