@echo off
rem Runs all tests, or those that are named, and says which failed.
setlocal
cd /d "%~dp0"
set "XPIO_SOURCE_ROOT=%CD:\=/%"
set "XPIO_BUILD_ROOT=%XPIO_SOURCE_ROOT%"
set "LUA_PATH=%XPIO_SOURCE_ROOT%/src/lua/?.lua;%XPIO_SOURCE_ROOT%/tests/?.lua;%XPIO_SOURCE_ROOT%/tests/windows/?.lua;%XPIO_SOURCE_ROOT%/share/?.lua;%XPIO_SOURCE_ROOT%/share/?/init.lua"
set "LUA_CPATH=%XPIO_SOURCE_ROOT%/?.dll"
set "XPIO_CONSOLE=%XPIO_SOURCE_ROOT%/tests/console.dll"
set "XPIO_ERRORS=%XPIO_SOURCE_ROOT%/tests/errors.dll"
set "XPIO_HANDLES=%XPIO_SOURCE_ROOT%/tests/handles.dll"
set "XPIO_REPORT=%XPIO_SOURCE_ROOT%/tests/report.exe"
set "PATH=%CD%\tests;%PATH%"
set FAILED=
set NAMES=%*
if not defined NAMES for %%F in (tests\*_spec.lua) do call :add %%~nF
for %%N in (%NAMES%) do call :run %%N
if defined FAILED (echo FAILED:%FAILED%) else echo ALL PASSED
if defined FAILED exit /b 1
exit /b 0
:add
set NAME=%1
set NAMES=%NAMES% %NAME:_spec=%
exit /b
:run
echo == %1
"%CD%\lua.exe" tests\run.lua tests\%1_spec.lua >tests\%1.log 2>&1
if errorlevel 1 set FAILED=%FAILED% %1
findstr /b /c:"not ok" tests\%1.log
exit /b
