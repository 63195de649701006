import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

export interface ProcessInfo {
  readonly pid: number
  readonly command: string
}

/**
 * Lists the living child processes of a process, by default of this one: all of them, also those
 * that were detached and that Node no longer counts. Grandchildren whose parent has ended belong to
 * nobody and are not found. Windows tells nothing.
 */
export async function listChildProcesses(parent = process.pid): Promise<readonly ProcessInfo[]> {
  switch (process.platform) {
    case 'linux':
      return listFromProc(parent)
    case 'win32':
      return []
    default:
      return listFromPs(parent)
  }
}

/** Lists the child processes of this process that are not among `before`. */
export async function listNewChildProcesses(
  before: readonly ProcessInfo[],
): Promise<readonly ProcessInfo[]> {
  const known = new Set(before.map(({ pid }) => pid))
  return (await listChildProcesses()).filter(({ pid }) => !known.has(pid))
}

/** Kills the child processes of this process that are not among `before`. */
export async function killNewChildProcesses(before: readonly ProcessInfo[]): Promise<void> {
  for (const { pid } of await listNewChildProcesses(before)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // it ended meanwhile
    }
  }
}

/** Tells whether a process runs. One that has ended and that nobody has waited for does not. */
export async function isRunning(pid: number): Promise<boolean> {
  if (process.platform === 'linux') return (await readProc(pid)) !== undefined
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function listFromProc(parent: number): Promise<ProcessInfo[]> {
  const pids = (await readdir('/proc')).map(Number).filter(Number.isInteger)
  const processes = await Promise.all(pids.map(readProc))
  return processes
    .filter((found) => found?.parent === parent)
    .filter((found) => found !== undefined)
}

async function readProc(pid: number) {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    // The name, in parentheses, can contain anything; state and parent follow the last of them.
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (state === 'Z') return undefined
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8')
    return { pid, parent: Number(parent), command: commandLine.replaceAll('\0', ' ').trim() }
  } catch {
    return undefined // it ended meanwhile
  }
}

/** For systems without `/proc`. */
export async function listFromPs(parent: number): Promise<ProcessInfo[]> {
  const listing = promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=,stat=,command='])
  const { stdout } = await listing
  return stdout
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line))
    .filter((match) => match !== null)
    .filter((match) => Number(match[2]) === parent && !match[3]?.startsWith('Z'))
    .map((match) => ({ pid: Number(match[1]), command: match[4] ?? '' }))
    .filter(({ pid }) => pid !== listing.child.pid)
}
