import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AnyProjection } from '../projections/projection.ts'
import type { GlobalOptions } from './global-options.ts'
import type { Host } from './host.ts'

/** Options of a rebuild that its helpers have, too. */
export interface HelpedOptions extends GlobalOptions {
  readonly batchSize?: number
  readonly maxRate?: number
  readonly parallel?: number
}

/** Processes that build a version together with this one. */
export interface RebuildHelpers {
  /** Starts them, the first time it is called: when there is a version to build. */
  start(): void
  /** Has them stop after the chunk at hand, and waits until they have. */
  stop(): Promise<void>
}

/**
 * Makes one process fewer than there are partitions, each a rebuild of the same version: whoever builds a
 * version takes his share of its partitions. When one fails its share goes to the others; when this
 * process is killed they finish the work.
 */
export function rebuildHelpers(
  host: Host,
  options: HelpedOptions,
  { name, version }: AnyProjection,
): RebuildHelpers {
  const children: ReturnType<typeof spawn>[] = []
  return {
    start: () => {
      if (children.length > 0) return
      const args = ['rebuild', name, '--version', `${version}`, '--json', ...sharedArgs(options)]
      for (let i = 1; i < (options.parallel ?? 1); i += 1) {
        const child = spawn(
          process.execPath,
          [...process.execArgv, process.argv[1] ?? '', ...args],
          {
            cwd: host.cwd,
            env: { ...host.env },
            stdio: 'ignore',
          },
        )
        // It could not be started: the others do its share.
        child.on('error', () => {})
        children.push(child)
      }
    },
    stop: async () => {
      await Promise.all(
        children.map(async (child) => {
          if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null)
            return
          const exited = once(child, 'exit')
          child.kill('SIGTERM')
          await exited
        }),
      )
    },
  }
}

function sharedArgs(options: HelpedOptions): string[] {
  const { config, databaseUrl, schema, batchSize, maxRate, parallel = 1 } = options
  const flags = {
    '--config': config,
    '--database-url': databaseUrl,
    '--schema': schema,
    '--batch-size': batchSize,
    '--max-rate': maxRate === undefined ? undefined : Math.ceil(maxRate / parallel),
  }
  return Object.entries(flags).flatMap(([flag, value]) =>
    value === undefined ? [] : [flag, `${value}`],
  )
}
