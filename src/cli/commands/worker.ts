import { Command, Option } from 'commander'
import type { WorkerOptions } from '../../worker/worker.ts'
import { createLogger, type LogLevel, logLevels } from '../create-logger.ts'
import { explainServerError } from '../explain-server-error.ts'
import type { GlobalOptions } from '../global-options.ts'
import type { Host } from '../host.ts'
import { printResult } from '../print-result.ts'
import { requireDefinitions, type Target } from '../target.ts'

interface WorkerCommandOptions extends GlobalOptions {
  readonly logLevel: LogLevel
}

/**
 * `tidemark worker`: runs projections, reactors, processes, tasks, routes and relays of the config file until it is
 * stopped.
 */
export function workerCommand(host: Host): Command {
  return new Command('worker')
    .description(
      'run what the config file defines; SIGINT or SIGTERM stops it after the work at hand',
    )
    .addOption(
      new Option('--log-level <level>', 'least level of the JSON lines on stderr')
        .choices(logLevels)
        .default('info'),
    )
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<WorkerCommandOptions>()
      const target = await requireDefinitions(options, host)
      const { runWorker } = await import('../../worker/worker.ts')
      const logger = createLogger(options.logLevel, options.verbose === true)
      const signal = host.stopSignals.listen((name) => {
        logger.info({ signal: name }, 'stopping after the work at hand')
      })
      logger.info(describeWork(target), 'worker starts')
      const work = runWorker({ ...workerOptions(target), logger }, signal)
      await explainServerError(target.connectionString, work)
      logger.info({}, 'worker stopped')
      if (options.json === true) {
        printResult(host, options, { stoppedBy: host.stopSignals.received ?? null }, () => '')
      }
    })
}

/** What a config says about the worker, as options of `runWorker`. */
export function workerOptions({ connectionString, schema, config }: Target): WorkerOptions {
  const { projections = [], reactors = [], processes = [], tasks = [] } = config
  const { routes = [], relays = [], cron, events, inline, jobSchema, worker } = config
  return {
    connectionString,
    ...(schema === undefined ? {} : { schema }),
    projections,
    reactors,
    processes,
    tasks,
    routes,
    relays,
    ...(cron === undefined ? {} : { cron }),
    ...(events === undefined ? {} : { events }),
    ...(inline === undefined ? {} : { inline }),
    ...(typeof jobSchema === 'string' ? { jobSchema } : {}),
    ...worker,
  }
}

function describeWork({ config }: Target): object {
  const { projections = [], reactors = [], processes = [], tasks = [] } = config
  const { routes = [], relays = [] } = config
  return {
    projections: projections.map(({ name, version }) => `${name} ${version}`),
    reactors: reactors.map(({ name }) => name),
    processes: processes.map(({ name }) => name),
    tasks: tasks.map(({ task }) => task),
    routes: routes.map(({ name }) => name),
    relays: relays.map(({ name }) => name),
  }
}
