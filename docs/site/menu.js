// Where the window is narrow, a button shows the menu and hides it.
document.querySelectorAll('i[data-toggle="wy-nav-top"]').forEach(function (button) {
  button.addEventListener('click', function () {
    document.querySelectorAll('[data-toggle="wy-nav-shift"]').forEach(function (part) {
      part.classList.toggle('shift');
    });
  });
});
