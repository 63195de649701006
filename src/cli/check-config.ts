import type { ParsedCronItem } from 'graphile-worker'
import { z } from 'zod'
import type { AnyEventDefinition } from '../core/event.ts'
import type { AnyProcess } from '../core/processes/process-manager.ts'
import type { Reactor } from '../jobs/reactor.ts'
import type { AnyTask } from '../jobs/task.ts'
import type { Relay } from '../outbox/relay.ts'
import type { Route } from '../outbox/route.ts'
import type { AnyProjection } from '../projections/projection.ts'
import type { TidemarkConfig } from './config.ts'
import {
  isCronItem,
  isEvent,
  isProcess,
  isProjection,
  isReactor,
  isRelay,
  isRoute,
  isTask,
  nameKind,
} from './definition-kind.ts'

const projectionSchema = definition<AnyProjection>(
  isProjection,
  'a projection, as `projection(…)` makes it',
)
const reactorSchema = definition<Reactor>(isReactor, 'a reactor, as `reactor(…)` makes it')
const processSchema = definition<AnyProcess>(
  isProcess,
  'a process, as `processManager(…)` makes it',
)
const taskSchema = definition<AnyTask>(isTask, 'a task, as `task(…)` makes it')
const routeSchema = definition<Route>(isRoute, 'a route, as `route(…)` makes it')
const relaySchema = definition<Relay>(isRelay, 'a relay, as `relay(…)` makes it')
const cronSchema = definition<ParsedCronItem>(isCronItem, 'an item, as `cron(…)` makes it')
const eventSchema = definition<AnyEventDefinition>(isEvent, 'an event, as `event(…)` makes it')
const count = z.int().min(1).optional()

const configSchema = options({
  connectionString: z.string().optional(),
  schema: z.string().optional(),
  jobSchema: z.union([z.string(), z.literal(false)], 'expected a string or false').optional(),
  projections: z.array(projectionSchema).optional(),
  reactors: z.array(reactorSchema).optional(),
  processes: z.array(processSchema).optional(),
  tasks: z.array(taskSchema).optional(),
  routes: z.array(routeSchema).optional(),
  relays: z.array(relaySchema).optional(),
  cron: z.array(cronSchema).optional(),
  events: z.array(eventSchema).optional(),
  inline: z.array(projectionSchema).optional(),
  worker: options({
    name: z.string().optional(),
    batchSize: count,
    maxAttempts: count,
    pollIntervalMs: count,
    maxConnections: count,
    jobConcurrency: count,
    jobGraceMs: count,
    jobTakeoverMs: count,
    keepOnceMs: count,
    mode: z.enum(['auto', 'wal', 'poll']).optional(),
    seal: z.boolean().optional(),
    sealIntervalMs: count,
    outboxRetentionMs: z.int().min(0).optional(),
    outboxTrimIntervalMs: count,
  }).optional(),
}).check(({ value, issues }) => {
  const { projections = [], reactors = [], processes = [], tasks = [], jobSchema } = value
  const { routes = [], relays = [] } = value
  const twice = [
    ...repeated('projections', projections, (p) => `projection "${p.name}" version ${p.version}`),
    ...repeated('reactors', reactors, (r) => `reactor "${r.name}"`),
    ...repeated('processes', processes, (p) => `process "${p.name}"`),
    ...repeated('tasks', tasks, (t) => `task "${t.task}"`),
    ...repeated('routes', routes, (r) => `route "${r.name}"`),
    ...repeated('relays', relays, (r) => `relay "${r.name}"`),
  ]
  for (const { path, message } of twice) {
    issues.push({ code: 'custom', path, message, input: value })
  }
  if (jobSchema === false && reactors.length + processes.length + tasks.length > 0) {
    const message = 'reactors, processes and tasks need the schema of graphile-worker'
    issues.push({ code: 'custom', path: ['jobSchema'], message, input: value })
  }
})

/** A config that can be used, or what is wrong with it, in one line. */
export type ConfigCheck =
  | { readonly config: TidemarkConfig }
  | { readonly config: undefined; readonly reason: string }

/** Checks what a config file exports. A definition is known by its shape, whoever made it. */
export function checkConfig(exported: unknown): ConfigCheck {
  const { success, error } = configSchema.safeParse(exported)
  if (success) return { config: exported as TidemarkConfig }
  const reason = error.issues.map(({ path, message }) => writeIssue(path, message)).join('; ')
  return { config: undefined, reason }
}

function options<const Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return undefined
      const unknown = issue.keys.map((key) => `"${key}"`).join(', ')
      return `unknown option ${unknown}; known: ${Object.keys(shape).join(', ')}`
    },
  })
}

function definition<T>(matches: (value: unknown) => boolean, expected: string) {
  return z.custom<T>(matches, {
    error: ({ input }) => `expected ${expected}, received ${nameKind(input)}`,
  })
}

function repeated<T>(
  list: string,
  definitions: readonly T[],
  describe: (definition: T) => string,
): { path: (string | number)[]; message: string }[] {
  const known = new Set<string>()
  return definitions.flatMap((one, index) => {
    const name = describe(one)
    if (!known.has(name)) {
      known.add(name)
      return []
    }
    return [{ path: [list, index], message: `${name} stands there already` }]
  })
}

function writeIssue(path: readonly PropertyKey[], message: string): string {
  const text = message.replace(/^Invalid input: /, '')
  const place = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
  return path.length === 0 ? text : `${place.join('').slice(1)}: ${text}`
}
