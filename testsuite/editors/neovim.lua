-- What a person does in Neovim with a broken Runefile: reads what is wrong, repairs it with a completion,
-- renames a stage and formats the file. Run as `nvim --headless -u NONE -c 'luafile neovim.lua' Runefile`
-- with the path of runec in RUNEC. Prints what was seen, a line each.

local PATIENCE = 30000
local steps

-- Goes on with the steps once `ready` is true. Keys that were typed are worked off meanwhile.
local function wait(what, ready)
  local waited = 0
  while not ready() do
    waited = waited + 20
    if waited > PATIENCE then
      error('waited too long for ' .. what)
    end
    vim.defer_fn(function() steps() end, 20)
    coroutine.yield()
  end
end

local function say(...)
  io.stdout:write(table.concat({ ... }, ' '), '\n')
end

local function type_keys(keys)
  vim.api.nvim_feedkeys(vim.api.nvim_replace_termcodes(keys, true, false, true), 'n', false)
end

local function line(number)
  return vim.api.nvim_buf_get_lines(0, number - 1, number, false)[1]
end

local function go_to(text)
  vim.fn.cursor(1, 1)
  assert(vim.fn.search('\\V' .. text, 'c') > 0, text .. ' is not in the buffer')
end

local function work()
  vim.cmd('filetype off')
  local client = vim.lsp.start_client({
    cmd = { os.getenv('RUNEC'), 'lsp' },
    root_dir = vim.fn.getcwd(),
  })
  vim.lsp.buf_attach_client(0, client)
  vim.o.completeopt = 'menuone'
  vim.bo.omnifunc = 'v:lua.vim.lsp.omnifunc'

  wait('diagnostics', function() return #vim.diagnostic.get(0) > 0 end)
  for _, found in ipairs(vim.diagnostic.get(0)) do
    local first = vim.split(found.message, '\n')[1]
    say('diagnostic', found.lnum + 1 .. ':' .. found.col + 1, found.code or found.user_data.lsp.code, first)
  end

  go_to('PROC_BLOCK')
  type_keys('ccPROC_BLOCK runicos/norma<C-x><C-o>')
  wait('the completion', function() return vim.fn.pumvisible() == 1 end)
  type_keys('<C-y> normal<Esc>')
  wait('the repaired line', function() return line(3):match('normal$') and vim.fn.mode() == 'n' end)
  say('completed', line(3))
  wait('no diagnostics', function() return #vim.diagnostic.get(0) == 0 end)
  say('diagnostics', '0')

  go_to('numbers')
  vim.lsp.buf.rename('noise')
  wait('the new name', function() return line(2):match('noise') end)
  say('renamed', line(2))
  say('renamed', line(5))

  if vim.lsp.buf.format then
    vim.lsp.buf.format({ async = false, timeout_ms = PATIENCE })
  else
    vim.lsp.buf.formatting_sync(nil, PATIENCE)
  end
  for _, text in ipairs(vim.api.nvim_buf_get_lines(0, 0, -1, false)) do
    say('formatted', text)
  end

  go_to('noise')
  local position = vim.lsp.util.make_position_params(0, 'utf-16')
  local answers = vim.lsp.buf_request_sync(0, 'textDocument/hover', position, PATIENCE)
  for _, answer in pairs(answers) do
    say('hover', vim.split(answer.result.contents.value, '\n')[1])
  end
  vim.lsp.stop_client(client)
  wait('the end of the server', function() return vim.lsp.client_is_stopped(client) end)
end

local routine = coroutine.create(work)
steps = function()
  local fine, reason = coroutine.resume(routine)
  if not fine then
    say('failed', tostring(reason))
    vim.cmd('cquit!')
  elseif coroutine.status(routine) == 'dead' then
    vim.cmd('qall!')
  end
end
steps()
