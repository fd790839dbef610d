// Keeps calls that are made before the tag has loaded; in a file of its own because the page allows no inline script.
(function(w,n){var d=w[n]=Array.isArray(w[n])?w[n]:[];"identify track page group alias reset consent ready".split(" ").forEach(function(m){d[m]=d[m]||function(){d.push([m].concat([].slice.call(arguments)))}})})(window,"datafly");
